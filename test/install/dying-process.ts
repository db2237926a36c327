/**
 * Installs into, or uninstalls from, a tree, and kills itself before the change of this number, as a power cut would. Ends with 0 when there
 * were no so many changes.
 */
import { finish, install } from '../../src/install/install.ts';
import { serviceNamed } from '../../src/install/services.ts';
import { uninstall } from '../../src/install/uninstall.ts';
import { installOptions } from './small-installation.ts';

const [what, root, source, node, count] = process.argv.slice(2) as [string, string, string, string, string];
let left = Number(count);
const beforeChange = () => {
  if (left === 0) process.kill(process.pid, 'SIGKILL');
  left -= 1;
};

if (what === 'install') {
  await finish(await install({ ...installOptions({ source, node }, root), beforeChange }), beforeChange);
} else {
  await uninstall({ service: serviceNamed('hailo-clip'), root, purge: what === 'purge', beforeChange });
}
