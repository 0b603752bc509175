/**
 * The system's Python, for which Debian packs libraries (`apt install python3-websockets`). `PYTHON` names another one
 * that has them.
 */
export const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';
