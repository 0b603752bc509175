/** What of a vitest JSON report counts here. */
export interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly FileResult[];
}

interface FileResult {
  /** The file's path on the machine that ran it. */
  readonly name: string;
  readonly status: string;
  /** What kept the file itself from running, or a hook of it; empty where nothing did. */
  readonly message: string;
  readonly assertionResults: readonly {
    readonly status: string;
    /** The name with those of its groups. */
    readonly fullName: string;
    /** Each with its stack. */
    readonly failureMessages: readonly string[];
  }[];
}

/** Undefined where there is no report, or only a piece of one. */
export function parseReport(text: string | undefined): Report | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Report);
  } catch {
    return undefined;
  }
}

/** A file that failed before any of its tests could, because it does not compile, say. */
export function isBroken({ status, assertionResults }: FileResult): boolean {
  return status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed');
}
