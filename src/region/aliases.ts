/** A value that is nothing but the name of another variable, such as `$SCALINGO_POSTGRESQL_URL`. */
const alias = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})$/;

/**
 * Gives variables that stand for another one the value of that one. Those that lead nowhere, or
 * in a circle, keep what they have.
 */
export function resolveAliases<V extends { readonly name: string; readonly value: string }>(
  variables: readonly V[],
): V[] {
  const values = new Map(variables.map(({ name, value }) => [name, value]));
  const resolve = (value: string, seen: readonly string[]): string | null => {
    const [, plain, braced] = alias.exec(value) ?? [];
    const name = plain ?? braced;
    if (name === undefined) return value;
    const next = values.get(name);
    if (next === undefined || seen.includes(name)) return null;
    return resolve(next, [...seen, name]);
  };
  return variables.map((variable) => ({
    ...variable,
    value: resolve(variable.value, [variable.name]) ?? variable.value,
  }));
}
