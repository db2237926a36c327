/** The Hugging Face hub and its mirrors: a repository pinned at one commit, every file verified by the hash the hub states. */
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import { hidePassword } from '../base/url.ts';
import type { CatalogueEntry } from './catalogue-entry.ts';
import { asInstalled, checkWhisperConfig, chooseFiles, installedName, modelTypeOf } from './checkpoint.ts';
import { readChunkFormerConfig } from './chunkformer-config.ts';
import type { Expected, RemoteFile } from './download.ts';
import type { HttpAnswer } from './network.ts';
import { moveInto, type Plan, type SourceContext, type WeightSource } from './plan.ts';
import { getText } from './retry.ts';

const revisionSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{7,64}$/),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.number().nullish(),
      blobId: z.string().nullish(),
      lfs: z.object({ sha256: z.string().nullish(), size: z.number().nullish() }).nullish(),
    }),
  ),
  cardData: z.object({ license: z.union([z.string(), z.array(z.string())]).nullish() }).nullish(),
});

type Revision = z.output<typeof revisionSchema>;

/** `endpoint` without a trailing slash and without credentials. */
export function hubSource(endpoint: string): WeightSource {
  return {
    type: 'hub',
    url: hidePassword(endpoint),
    plan: (entry, context) => plan(endpoint, entry, context),
  };
}

async function plan(endpoint: string, entry: CatalogueEntry, context: SourceContext): Promise<Plan> {
  const repository = entry.hub;
  if (!repository) throw new AppError('download_failed', `the hub has no repository for ${entry.name}.`);
  const revision = await pinRevision(
    `${endpoint}/api/models/${repository}/revision/main?blobs=true`,
    context,
  );
  const names = revision.siblings.map((sibling) => sibling.rfilename);
  const address = (name: string) => `${endpoint}/${repository}/resolve/${revision.sha}/${name}`;
  const config = names.includes('config.json')
    ? parse((await getText(address('config.json'), context)).text)
    : undefined;
  const files = chooseFiles(names, `${repository} (hub)`, modelTypeOf(config));
  // Known before gigabytes are moved.
  if (files.kind === 'chunkformer')
    readChunkFormerConfig((await getText(address('config.yaml'), context)).text, repository);
  if (files.kind === 'whisper') checkWhisperConfig(config, files.format, repository);
  const { weights } = files;
  const downloads = files.files.map((name) => remoteFile(name, address(name), { weights, revision }));
  return {
    source: { type: 'hub', id: repository, revision: revision.sha, url: `${endpoint}/${repository}` },
    licence: entry.licence ?? licenceOf(revision),
    files: asInstalled(files),
    // Small files first: what is missing shows early.
    downloads: [...downloads].sort((a, b) => (a.expected.sizeBytes ?? 0) - (b.expected.sizeBytes ?? 0)),
    assembledBytes: 0,
    assemble: moveInto,
  };
}

export interface RepositoryFiles {
  readonly files: readonly RemoteFile[];
  /** The commit. */
  readonly revision: string;
  readonly licence: string;
}

/** Some files of a repository, pinned and verified as a whole model's. Throws `download_failed` when one is not there. */
export async function filesOfRepository(
  endpoint: string,
  { repository, names }: { readonly repository: string; readonly names: readonly string[] },
  context: SourceContext,
): Promise<RepositoryFiles> {
  const revision = await pinRevision(
    `${endpoint}/api/models/${repository}/revision/main?blobs=true`,
    context,
  );
  const missing = names.find((name) => !revision.siblings.some(({ rfilename }) => rfilename === name));
  if (missing !== undefined)
    throw new AppError('download_failed', `${hidePassword(endpoint)}/${repository} has no ${missing}.`);
  const weights = names.filter((name) => name.endsWith('.safetensors'));
  const files = names.map((name) =>
    remoteFile(name, `${endpoint}/${repository}/resolve/${revision.sha}/${name}`, { weights, revision }),
  );
  return { files, revision: revision.sha, licence: licenceOf(revision) };
}

async function pinRevision(url: string, context: SourceContext): Promise<Revision> {
  const parsed = revisionSchema.safeParse(parse((await getText(url, context)).text));
  if (parsed.success) return parsed.data;
  throw new AppError('download_failed', `${hidePassword(url)}: this is not an answer of the hub's API.`);
}

function remoteFile(
  name: string,
  url: string,
  { weights, revision }: { readonly weights: readonly string[]; readonly revision: Revision },
): RemoteFile {
  const sibling = revision.siblings.find((candidate) => candidate.rfilename === name);
  const stated: Expected = {
    sha256: sibling?.lfs?.sha256 ?? undefined,
    sizeBytes: sibling?.lfs?.size ?? sibling?.size ?? undefined,
    gitSha1: sibling?.lfs ? undefined : gitObject(sibling?.blobId ?? undefined),
  };
  const isWeight = weights.includes(name);
  return {
    url,
    name: installedName(name),
    expected: stated,
    expectedBy: (answer) => expectedBy(answer, { stated, isWeight, url }),
  };
}

/** What the API stated, completed by the linked hash that comes with the file itself. They must not contradict each other. */
function expectedBy(
  answer: HttpAnswer,
  { stated, isWeight, url }: { readonly stated: Expected; readonly isWeight: boolean; readonly url: string },
): Expected {
  const hops = [...answer.redirects, answer.headers];
  const linkedByHub = unquoted(hops.find((headers) => headers['x-linked-etag'])?.['x-linked-etag']);
  // Without that header only the hub's own tag is a hash of the content; a content network behind it has tags of its own.
  const tag = linkedByHub ?? unquoted(hops[0]?.['etag']);
  const expected: Expected = {
    sha256: stated.sha256 ?? (tag && /^[0-9a-f]{64}$/.test(tag) ? tag : undefined),
    sizeBytes:
      stated.sizeBytes ?? numberOf(hops.find((headers) => headers['x-linked-size'])?.['x-linked-size']),
    gitSha1: stated.gitSha1 ?? gitObject(tag),
  };
  if (stated.sha256 && linkedByHub && linkedByHub !== stated.sha256) {
    answer.body.on('error', () => {}).destroy();
    throw new AppError(
      'checksum_mismatch',
      `${hidePassword(url)}: the hub states two different hashes for it.`,
    );
  }
  if (isWeight && !expected.sha256) {
    answer.body.on('error', () => {}).destroy();
    throw new AppError(
      'download_failed',
      `${hidePassword(url)}: no SHA-256 is stated (x-linked-etag), so it cannot be verified.`,
    );
  }
  return expected;
}

function licenceOf(revision: Revision): string {
  const licence = revision.cardData?.license;
  return (Array.isArray(licence) ? licence.join(', ') : licence) || 'not stated';
}

function unquoted(tag: string | undefined): string | undefined {
  return tag?.replace(/^W\//, '').replaceAll('"', '');
}

function gitObject(tag: string | undefined): string | undefined {
  return tag && /^[0-9a-f]{40}$/.test(tag) ? tag : undefined;
}

function numberOf(text: string | undefined): number | undefined {
  return text && /^\d+$/.test(text) ? Number(text) : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
