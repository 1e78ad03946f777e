import type { VerbName } from '../region/region.js';
import type { Addons } from './apps/addons.js';
import type { Apps } from './apps/apps.js';
import type { Attachments } from './apps/attachments.js';
import type { Deployments } from './apps/deployments.js';
import type { Freezes } from './apps/freezes.js';
import type { Traffic } from './apps/traffic.js';
import type { Databases } from './databases/databases.js';
import type { Probes } from './probes/probes.js';
import type { Performs } from './verbs.js';

export interface Rooms {
  readonly apps: Apps;
  readonly attachments: Attachments;
  readonly deployments: Deployments;
  readonly addons: Addons;
  readonly freezes: Freezes;
  readonly databases: Databases;
  readonly traffic: Traffic;
  readonly probes: Probes;
}

/** Every verb of the region protocol, and who does it. */
export function performs(rooms: Rooms): Performs<VerbName> {
  const { apps, attachments, deployments, addons, freezes, databases, traffic, probes } = rooms;
  return {
    describe: () => probes.describe(),
    memoryOf: (input) => probes.memoryOf(input),
    room: () => probes.room(),
    offerProbe: (input) => probes.offerProbe(input),
    reach: (input) => probes.reach(input),
    takeSample: (input) => probes.takeSample(input),
    verifyBuild: (input) => deployments.verifyBuild(input),
    listApps: () => apps.listApps(),
    findApp: (input) => apps.findApp(input),
    health: (input) => apps.health(input),
    logs: (input) => apps.logs(input),
    logsAfter: (input) => apps.logsAfter(input),
    findOperation: (input) => apps.findOperation(input),
    createApp: (input, by) => apps.createApp(input, by),
    deleteApp: (input, by) => apps.deleteApp(input, by),
    renameApp: (input, by) => apps.renameApp(input, by),
    setSettings: (input, by) => apps.setSettings(input, by),
    transferApp: (input, by) => apps.transferApp(input, by),
    changeVariables: (input, by) => apps.changeVariables(input, by),
    scale: (input, by) => apps.scale(input, by),
    addDomain: (input, by) => apps.addDomain(input, by),
    removeDomain: (input, by) => apps.removeDomain(input, by),
    setCertificate: (input, by) => apps.setCertificate(input, by),
    setCanonicalDomain: (input, by) => apps.setCanonicalDomain(input, by),
    start: (input, by) => apps.start(input, by),
    warm: (input, by) => apps.warm(input, by),
    stop: (input, by) => apps.stop(input, by),
    restart: (input, by) => apps.restart(input, by),
    freeze: (input) => freezes.freeze(input),
    thaw: (input) => freezes.thaw(input),

    attach: (input, by) => attachments.attach(input, by),
    detach: (input, by) => attachments.detach(input, by),

    listDeployments: (input) => deployments.listDeployments(input),
    purgeCache: (input, by) => deployments.purgeCache(input, by),
    deploy: (input, by) => deployments.deploy(input, by),
    grantBuild: (input, by) => deployments.grantBuild(input, by),
    fetchBuild: (input, by) => deployments.fetchBuild(input, by),

    addAddon: (input, by) => addons.addAddon(input, by),
    removeAddon: (input, by) => addons.removeAddon(input, by),

    inspect: (input) => databases.inspect(input),
    provides: (input) => databases.provides(input),
    grantFollow: (input) => databases.grantFollow(input),
    revokeFollow: (input) => databases.revokeFollow(input),
    follow: (input) => databases.follow(input),
    following: (input) => databases.following(input),
    flush: (input) => databases.flush(input),
    position: (input) => databases.position(input),
    contents: (input) => databases.contents(input),
    digest: (input) => databases.digest(input),
    waitFor: (input) => databases.waitFor(input),
    fence: (input) => databases.fence(input),
    unfence: (input) => databases.unfence(input),
    promote: (input) => databases.promote(input),
    followBack: (input) => databases.followBack(input),
    standDown: (input) => databases.standDown(input),

    hold: (input, by) => traffic.hold(input, by),
    serve: (input, by) => traffic.serve(input, by),
    hide: (input, by) => traffic.hide(input, by),
    revokeForward: (input, by) => traffic.revokeForward(input, by),
    leaveForward: (input, by) => traffic.leaveForward(input, by),
    grantForward: (input, by) => traffic.grantForward(input, by),
    forward: (input, by) => traffic.forward(input, by),
    holdReport: (input) => traffic.holdReport(input),
  };
}
