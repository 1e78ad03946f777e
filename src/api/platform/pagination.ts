import { z } from 'zod';

/** Entries that a page has at most. */
const most = 100;

/** Which page of a list is asked for. */
export const paging = z.object({
  page: z.coerce.number().int().min(1).max(1_000_000).default(1),
  per_page: z.coerce.number().int().min(1).max(most).default(20),
});

/** Where in a list a page is. */
export const meta = z
  .object({
    pagination: z.object({
      current_page: z.number(),
      prev_page: z.number().nullable(),
      next_page: z.number().nullable(),
      total_pages: z.number(),
      total_count: z.number(),
    }),
  })
  .meta({
    examples: [
      {
        pagination: {
          current_page: 1,
          prev_page: null,
          next_page: 2,
          total_pages: 4,
          total_count: 61,
        },
      },
    ],
  });

/** One page of a list, and where it is. */
export function pageOf<T>(
  all: readonly T[],
  asked: z.infer<typeof paging>,
): { items: T[]; meta: z.infer<typeof meta> } {
  const { page, per_page } = asked;
  return {
    items: all.slice((page - 1) * per_page, page * per_page),
    meta: paginationOf(all.length, asked),
  };
}

/** Where in a list of so many a page is. */
export function paginationOf(
  count: number,
  { page, per_page }: z.infer<typeof paging>,
): z.infer<typeof meta> {
  const pages = Math.max(1, Math.ceil(count / per_page));
  return {
    pagination: {
      current_page: page,
      prev_page: page > 1 ? page - 1 : null,
      next_page: page < pages ? page + 1 : null,
      total_pages: pages,
      total_count: count,
    },
  };
}
