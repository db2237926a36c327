/** Which addresses a webhook may be sent to: whoever may submit a recording must not reach what only this machine can. */
import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AppError } from '../../base/errors.ts';

/** Where clouds answer with a machine's own secrets; no service of anyone lies there. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');
LINK_LOCAL.addAddress('fd00:ec2::254', 'ipv6');

/** Throws `invalid_request` for what is no http or https URL, has a password in it, or a host that is not allowed. */
export function checkWebhookUrl(text: string, allowedHosts: readonly string[]): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const bad = (why: string) =>
    new AppError('invalid_request', `webhook_url ${why}.`, { param: 'webhook_url' });
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw bad('is not an http or https URL');
  if (url.username !== '' || url.password !== '')
    throw bad('holds a user or a password; webhooks are signed instead');
  if (allowedHosts.length > 0 && !allowedHosts.includes(url.hostname) && !allowedHosts.includes(url.host))
    throw bad(`leads to ${url.host}, which is not among tasks.webhook_hosts`);
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (allowedHosts.length === 0 && isIP(literal) !== 0 && isLinkLocal(literal))
    throw bad('leads to a link-local address');
  return url;
}

/** For a connection: a name's addresses are looked at when it is made, since a name may lead elsewhere by then. */
export function guardedLookup(allowedHosts: readonly string[]): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const usable =
        allowedHosts.length > 0 ? addresses : addresses.filter(({ address }) => !isLinkLocal(address));
      const [first] = usable;
      if (first === undefined)
        return callback(
          Object.assign(new Error(`${hostname} has a link-local address only`), { code: 'EPERM' }),
          '',
        );
      if (options.all) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
}

function isLinkLocal(address: string): boolean {
  // An IPv4 address in IPv6's clothes is looked at as what it is.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(plain);
  if (mapped) {
    const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
    return isLinkLocal([high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  return LINK_LOCAL.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}
