/** How long after the switch it can be undone, and requests are forwarded; in milliseconds. */
export const windowLength = 30 * 24 * 3_600_000;
