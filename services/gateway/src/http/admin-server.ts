import { createServer, type Server } from 'node:http';

/** What the admin port tells. */
export interface Admin {
  metrics(): Promise<{ contentType: string; body: string }>;
  /** Why the node should get no new work, in a line that begins with a stable code; undefined when it should. */
  notReady(): string | undefined;
}

/** The admin port: `/metrics`, `/healthz` (the process lives), `/readyz` (it should get traffic). */
export function createAdminServer(admin: Admin): Server {
  return createServer(async (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    const text = (status: number, body: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'use GET\n');
    switch (path) {
      case '/metrics':
        try {
          const { contentType, body } = await admin.metrics();
          return text(200, body, contentType);
        } catch (error) {
          return text(500, `${(error as Error).message}\n`);
        }
      case '/healthz':
        return text(200, 'ok\n');
      case '/readyz': {
        const reason = admin.notReady();
        return reason === undefined ? text(200, 'ready\n') : text(503, `${reason}\n`);
      }
      default:
        return text(404, 'there are /metrics, /healthz and /readyz\n');
    }
  });
}
