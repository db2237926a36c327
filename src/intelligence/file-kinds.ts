/** Which files are taken for recordings by their names and media types. What is in them is looked at once they are here. */
import { extname } from 'node:path';
import { AppError } from '../base/errors.ts';

/** With sound in them: what the built-in decoders and ffmpeg read and people record with. */
const EXTENSIONS = new Set(
  `.wav .mp3 .m4a .flac .ogg .oga .opus .webm .mp4 .aac .wma .aif .aiff .amr .3gp .caf .mka .mkv .mov .mpga .mpeg .m4b .au`.split(
    ' ',
  ),
);
/** Said by clients that do not know, curl among them; `text/plain` stands for no type at all (RFC 7578), which is what Python's requests sends. */
const UNKNOWN_TYPES = ['application/octet-stream', 'application/ogg', 'binary/octet-stream', 'text/plain'];

/** Throws `unsupported_media_type`. A name without an extension is as good as one with. */
export function checkFileKind(
  { fileName, mediaType }: { readonly fileName: string; readonly mediaType: string | undefined },
  param = 'file',
): void {
  const extension = extensionOf(fileName);
  if (extension !== '' && !EXTENSIONS.has(extension)) {
    throw new AppError(
      'unsupported_media_type',
      `The file name ends in ${extension}, which is no recording. Send one of ${[...EXTENSIONS].join(' ')}.`,
      { param },
    );
  }
  const type = mediaType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === '' || UNKNOWN_TYPES.includes(type) || /^(audio|video)\//.test(type)) return;
  throw new AppError(
    'unsupported_media_type',
    `The file is sent as ${type}, which is no recording. Send it as audio/wav, audio/mpeg, audio/mp4, audio/flac, audio/ogg or the like.`,
    { param },
  );
}

/** With the dot, lower case; empty where there is none. */
export function extensionOf(fileName: string): string {
  return extname(fileName).toLowerCase();
}
