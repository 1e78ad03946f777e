import { describe, expect, it } from 'vitest';
import { hostsOf } from '../../src/agent/databases/mariadb/grants.js';
import { comesFrom, networksOf } from '../../src/agent/networks.js';

describe('where somebody comes from', () => {
  it('is told by addresses, networks and names', async () => {
    expect(await networksOf(['10.1.2.3', '10.0.0.0/8', 'fd00::1', '10.1.2.3'])).toEqual([
      '10.0.0.0/8',
      '10.1.2.3/32',
      'fd00::1/128',
    ]);
    expect(await networksOf(['localhost'])).toContain('127.0.0.1/32');
    expect(await networksOf([])).toEqual([]);
    await expect(networksOf(['nowhere.invalid'])).rejects.toThrow('--origins');
  });

  it('is in a network, or is not', async () => {
    const networks = await networksOf(['10.0.0.0/8', '127.0.0.1', 'fd00::/16']);
    for (const address of ['10.255.0.1', '127.0.0.1', '::ffff:127.0.0.1', 'fd00::9']) {
      expect([address, comesFrom(address, networks)]).toEqual([address, true]);
    }
    for (const address of ['11.0.0.1', '127.0.0.2', '::ffff:127.0.0.2', '::1', undefined]) {
      expect([address, comesFrom(address, networks)]).toEqual([address, false]);
    }
  });

  it('is anywhere for who does not say, or listens on all of its addresses', async () => {
    for (const networks of [[], await networksOf(['0.0.0.0']), await networksOf(['::'])]) {
      for (const address of ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1']) {
        expect(comesFrom(address, networks)).toBe(true);
      }
    }
  });

  it('is called by MariaDB as it calls hosts', () => {
    expect(hostsOf([])).toEqual(['%']);
    expect(hostsOf(['10.1.2.3/32', '10.1.2.3/8', 'fd00::1/128', 'fd00::/16'])).toEqual([
      '10.1.2.3',
      '10.0.0.0/255.0.0.0',
      'fd00::1',
      '%',
    ]);
    expect(hostsOf(['192.168.77.0/22'])).toEqual(['192.168.76.0/255.255.252.0']);
    expect(hostsOf(['0.0.0.0/0', '::/0'])).toEqual(['%']);
  });
});
