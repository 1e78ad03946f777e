import { judgeCertificate } from '../../region/certificate.js';
import { windowLength } from '../window.js';
import { check } from './check.js';

/** Clients trust the certificate of every domain, and will until the source's edge is done forwarding. */
export const checkCertificateValidity = check({
  title: 'Check certificate validity',
  async look({ sourceApp, log, obstacle }) {
    const { domains } = await sourceApp();
    const now = new Date();
    const period = { now, until: new Date(now.getTime() + windowLength) };
    let good = 0;
    for (const { name, tls } of domains) {
      if (!tls) continue;
      const { flaws, remarks } = judgeCertificate(name, tls, period);
      for (const flaw of flaws) obstacle(flaw);
      for (const remark of remarks) log(remark);
      if (flaws.length === 0) good += 1;
    }
    const own = domains.filter(({ tls }) => tls !== null).length;
    log(
      `${domains.length} domains, ${own} with a certificate of their own; ${good} of these are good.`,
    );
  },
});
