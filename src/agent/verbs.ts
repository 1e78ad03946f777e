import type { InputOf, OutputOf, VerbName, Verbs } from '../region/region.js';

/** On whose behalf a change is made: a migration's, or (null) the owner's of the app. */
export type Behalf = string | null;

/** What the agent does when asked for the named verbs. */
export type Performs<Names extends VerbName> = {
  [V in Names]: (input: InputOf<Verbs[V]>, by: Behalf) => Promise<OutputOf<Verbs[V]>>;
};
