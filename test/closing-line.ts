import type { Reporter, TestModule } from 'vitest/node';

/** Ends a test run with one plain line: how many tests passed, and how many did not. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const passed = states.filter((state) => state === 'passed').length;
    const broken = modules.filter((module) => module.errors().length > 0).length;
    process.stdout.write(`\n${passed} passed, ${states.length - passed + broken} failed\n`);
  }
}
