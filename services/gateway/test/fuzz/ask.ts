import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One HTTP request on a connection of its own, which ends with it; a POST when there is a body of JSON. */
export function ask(port: number, path: string, json?: string): Promise<Answer> {
  const method = json === undefined ? 'GET' : 'POST';
  const headers = json === undefined ? {} : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(json);
  });
}
