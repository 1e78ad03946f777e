/**
 * Positions in PostgreSQL's write-ahead log, written as two hexadecimal halves such as `16/B374D848`
 * (type `pg_lsn`); here as numbers of bytes.
 */

/** @throws when `text` is no position */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (!match?.[1] || !match[2]) throw new Error(`"${text}" is not a position in a write-ahead log`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

export function formatLsn(lsn: bigint): string {
  const half = (value: bigint) => value.toString(16).toUpperCase();
  return `${half(lsn >> 32n)}/${half(lsn & 0xffff_ffffn)}`;
}
