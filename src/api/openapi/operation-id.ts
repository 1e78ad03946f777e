/**
 * The name of an operation, for generated clients: its method and what its path leads to, as
 * `getAppVariables` and `getAppVariable` for `GET /v1/apps/{app}/variables` and for one of them.
 */
export function operationId(method: string, path: string): string {
  const segments = path.replace(/^\/v1/, '').split('/').filter(Boolean);
  const words = segments.flatMap((segment, at) => {
    if (isParameter(segment)) return [];
    return isParameter(segments[at + 1] ?? '') ? singular(segment) : segment;
  });
  return (
    method.toLowerCase() +
    words
      .flatMap((word) => word.split('_'))
      .map(capitalized)
      .join('')
  );
}

const isParameter = (segment: string) => segment.startsWith(':');
const singular = (word: string) => word.replace(/s$/, '');
const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
