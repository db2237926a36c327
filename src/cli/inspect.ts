/** `percept models inspect FILE.hef`: what a model for a Hailo device takes and gives, without the device and its library. */
import type { Command } from 'commander';
import { type Hef, readHef } from '../backends/hailo/hef.ts';
import type { HefLayer } from '../backends/hailo/hef-description.ts';
import type { CliContext } from './context.ts';
import { formatTable } from './table.ts';
import { formatBytes } from './units.ts';

interface Options {
  readonly checksum?: true;
  readonly json?: true;
}

/** `models` has options of its own, which commander finds behind the words of this command, too. */
export function register(models: Command, context: CliContext): void {
  models
    .command('inspect')
    .description('show inputs, outputs and chip of a model for a Hailo device')
    .argument('<file>', 'a HEF')
    .option('--checksum', 'also read the whole file and check its sum')
    .option('--json', 'print JSON')
    .action((file: string, _options: Options, command: Command) =>
      inspect(file, command.optsWithGlobals<Options>(), context),
    );
}

async function inspect(file: string, options: Options, context: CliContext): Promise<void> {
  const hef = await readHef(file, { checksum: options.checksum === true, signal: context.signal });
  context.stdout.write(options.json ? `${JSON.stringify(hef, null, 2)}\n` : describe(hef));
  if (hef.checksum.verdict === 'differs') {
    context.stderr.write('The file is damaged: copy or download it again.\n');
    context.fail();
  }
}

function describe(hef: Hef): string {
  const { algorithm, verdict } = hef.checksum;
  const facts = [
    ['chip', hef.chipName],
    ['compiler', hef.sdkVersion || 'unknown'],
    ['file', `HEF version ${hef.version}, ${formatBytes(hef.sizeBytes)}`],
    ['checksum', `${algorithm}, ${verdict}`],
  ];
  const head = ['', 'NAME', 'SHAPE', 'ORDER', 'BITS', 'SCALE', 'ZERO POINT'];
  const groups = hef.groups.map(
    ({ name, inputs, outputs }) =>
      `\nnetwork ${name}\n${formatTable([head, ...inputs.map(row('input')), ...outputs.map(row('output'))])}`,
  );
  return `${formatTable(facts)}${groups.join('')}`;
}

function row(kind: string) {
  return ({ name, shape, order, dataBytes, scale, zeroPoint }: HefLayer): string[] => [
    kind,
    name,
    `${shape.height} × ${shape.width} × ${shape.features}`,
    order,
    String(8 * dataBytes),
    String(Number(scale.toPrecision(6))),
    String(zeroPoint),
  ];
}
