/** Models that a maker of devices publishes, compiled for them, as plain files at addresses of its own; the small files beside come from the hub. */
import { AppError } from '../base/errors.ts';
import { hidePassword } from '../base/url.ts';
import type { CatalogueEntry, VendorPlace } from './catalogue-entry.ts';
import { chooseFiles } from './checkpoint.ts';
import type { RemoteFile } from './download.ts';
import { filesOfRepository } from './hub.ts';
import { moveInto, type Plan, type SourceContext, type WeightSource } from './plan.ts';

export interface VendorAddresses {
  /** Without a trailing slash and without credentials. */
  readonly places: Readonly<Record<VendorPlace, string>>;
  readonly hub: string;
}

export function vendorSource(addresses: VendorAddresses): WeightSource {
  return {
    type: 'vendor',
    url: Object.values(addresses.places).map(hidePassword).join(' and '),
    plan: (entry, context) => plan(addresses, entry, context),
  };
}

async function plan(
  addresses: VendorAddresses,
  entry: CatalogueEntry,
  context: SourceContext,
): Promise<Plan> {
  const { vendor, hub } = entry;
  if (vendor === undefined || hub === undefined)
    throw new AppError('download_failed', `no maker of devices publishes ${entry.name}.`);
  const compiled: RemoteFile[] = vendor.files.map(({ path, place, address, sha256 }) => ({
    url: `${addresses.places[place]}/${address}`,
    name: path,
    expected: { sha256 },
  }));
  const beside = await filesOfRepository(addresses.hub, { repository: hub, names: vendor.beside }, context);
  const names = [...compiled, ...beside.files].map(({ name }) => name);
  return {
    source: {
      type: 'vendor',
      id: vendor.files.map(({ address }) => address).join(' '),
      revision: `${hub}@${beside.revision}`,
      url: addresses.places[vendor.files[0]!.place],
    },
    licence: entry.licence ?? beside.licence,
    files: chooseFiles(names, entry.name, vendor.modelType),
    downloads: [...beside.files, ...compiled],
    assembledBytes: 0,
    assemble: moveInto,
  };
}
