/** How far a copy is, in bytes. */
export interface CopyProgress {
  readonly copied: number;
  readonly total: number;
}
