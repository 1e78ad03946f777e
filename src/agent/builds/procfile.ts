import { Refusal } from '../../shared/errors.js';

const line = /^([A-Za-z][A-Za-z0-9_-]{0,39}):\s*(\S.*)$/;

/**
 * Reads a Procfile: one process type a line, its name, a colon and its command. Blank lines and
 * those that begin with # are left out.
 * @returns the command of each process type, whose names are lower-case
 * @throws Refusal `invalid`, naming the line
 */
export function parseProcfile(text: string): Record<string, string> {
  const commands = new Map<string, string>();
  text.split(/\r?\n/).forEach((raw, index) => {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) return;
    const [, name, command] = line.exec(content) ?? [];
    if (name === undefined || command === undefined) {
      throw refusal(`Line ${index + 1} is not "name: command", such as "web: node server.js".`);
    }
    const type = name.toLowerCase().replaceAll('_', '-');
    if (commands.has(type)) throw refusal(`Line ${index + 1} names "${type}" a second time.`);
    commands.set(type, command);
  });
  if (commands.size === 0) {
    throw refusal('It names no process type. Add a line such as "web: node server.js".');
  }
  return Object.fromEntries(commands);
}

function refusal(what: string): Refusal {
  return Refusal.invalid('source_url', `The Procfile cannot be read. ${what}`);
}
