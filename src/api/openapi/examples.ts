import { z } from 'zod';

/** A JSON schema, as far as examples are made of it. */
const schema = z.object({
  examples: z.array(z.unknown()).optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  required: z.array(z.string()).default([]),
  get properties() {
    return z.record(z.string(), schema).default({});
  },
  get items() {
    return schema.optional();
  },
  get anyOf() {
    return z.array(schema).optional();
  },
});
type Schema = z.infer<typeof schema>;

/**
 * An example of what a JSON schema describes: its own, or one put together from those of its parts.
 * @returns undefined when something that it needs has none
 */
export function exampleFor(given: unknown): unknown {
  const { success, data } = schema.safeParse(given);
  return success ? exampleOf(data) : undefined;
}

function exampleOf(described: Schema): unknown {
  const { examples, enum: values, const: value, type, items, anyOf } = described;
  const [first] = examples ?? values ?? [value];
  if (first !== undefined) return first;
  if (anyOf) return anyOf.map(exampleOf).find((example) => example !== undefined);
  if (type === 'null' || (Array.isArray(type) && type.includes('null'))) return null;
  if (type === 'boolean') return false;
  if (type === 'object') return exampleOfObject(described);
  const item = type === 'array' && items ? exampleOf(items) : undefined;
  return item === undefined ? undefined : [item];
}

function exampleOfObject({ properties, required }: Schema): unknown {
  const parts = Object.entries(properties).flatMap(([name, part]) => {
    const example = exampleOf(part);
    return example === undefined ? [] : [[name, example] as const];
  });
  const example = Object.fromEntries(parts);
  return required.every((name) => Object.hasOwn(example, name)) ? example : undefined;
}
