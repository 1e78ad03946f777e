import { access } from 'node:fs/promises';

/** Whether there is a file or folder, as far as this process may look. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
