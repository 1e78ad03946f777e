import type { Recording } from './phase.js';
import type { MigrationStore, Run } from './store.js';
import { type Mark, type SwitchClients, switching, type TrafficSecond } from './switch/record.js';

/** Keeps the record of the switch that a run does. */
export class Recorder implements Recording {
  readonly #store: MigrationStore;
  readonly #run: Run;
  /** Not written yet: that waits until nobody is held up by it. */
  #marks: Partial<Record<Mark, string>> = {};

  constructor(store: MigrationStore, run: Run) {
    this.#store = store;
    this.#run = run;
  }

  mark(mark: Mark): void {
    this.#marks[mark] ??= new Date().toISOString();
  }

  async clients(found: SwitchClients): Promise<void> {
    await this.#store.recordSwitch(this.#run.migration, this.#phase, { clients: found });
  }

  async traffic(found: readonly TrafficSecond[]): Promise<void> {
    await this.#store.recordTraffic(this.#run.migration, this.#phase, found);
  }

  async forget(): Promise<void> {
    this.#marks = {};
    await this.#store.forgetSwitch(this.#run.migration, this.#phase);
  }

  /** Writes down what was marked. */
  async write(): Promise<void> {
    if (Object.keys(this.#marks).length === 0) return;
    await this.#store.recordSwitch(this.#run.migration, this.#phase, { marks: this.#marks });
    this.#marks = {};
  }

  get #phase() {
    const phase = switching.find((one) => one === this.#run.phase);
    if (!phase) throw new Error(`${this.#run.phase} switches nothing`);
    return phase;
  }
}
