import { z } from 'zod';

/** One verb of the region protocol: what it is given and what it answers. */
export interface Verb<Input, Output> {
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
}

/** Declares a verb. Without an output schema it answers nothing. */
export function verb<Input extends z.ZodRawShape>(
  input: Input,
): Verb<z.infer<z.ZodObject<Input>>, null>;
export function verb<Input extends z.ZodRawShape, Output>(
  input: Input,
  output: z.ZodType<Output>,
): Verb<z.infer<z.ZodObject<Input>>, Output>;
export function verb(input: z.ZodRawShape, output: z.ZodType = z.null()): Verb<unknown, unknown> {
  return { input: z.object(input), output };
}
