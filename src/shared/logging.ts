import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** A structured logger, one JSON object a line on standard error. `GODWIT_LOG_LEVEL` sets what is shown. */
export function createLogger(name: string): Logger {
  return pino(
    {
      name,
      level: process.env['GODWIT_LOG_LEVEL'] ?? 'info',
      redact: {
        paths: ['*.password', '*.token', '*.authorization', 'req.headers.authorization'],
        censor: '[secret]',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
