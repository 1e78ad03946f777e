/** What is to be done after the test, last first. */
export const cleanUp: (() => unknown)[] = [];
