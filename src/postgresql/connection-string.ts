/** A connection string of libpq (PostgreSQL documentation, "Connection Strings"). */
export function connectionString(parts: Readonly<Record<string, string | number>>): string {
  return Object.entries(parts)
    .map(([key, value]) => `${key}='${String(value).replaceAll(/['\\]/g, '\\$&')}'`)
    .join(' ');
}
