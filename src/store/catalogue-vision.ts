/** Models that see: CLIP and its kin, converted from the checkpoints that their makers publish. */
import type { CatalogueEntry } from './catalogue-entry.ts';

interface VisionFacts {
  readonly millions: number;
  readonly hub: string;
  readonly licence: string;
  readonly languages?: CatalogueEntry['languages'];
}

/** Smallest first. */
export const VISION_MODELS: readonly CatalogueEntry[] = [
  {
    name: 'clip-shapes',
    kind: 'clip',
    hub: undefined,
    packages: undefined,
    isBundled: true,
    licence: 'MIT',
    languages: ['en'],
    parameters: 1.3e6,
    downloadBytes: 0,
    companions: [],
  },
  vision('tinyclip-vit-8m-16', {
    millions: 41,
    hub: 'wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M',
    licence: 'MIT',
  }),
  vision('tinyclip-vit-40m-32', {
    millions: 84,
    hub: 'wkcn/TinyCLIP-ViT-40M-32-Text-19M-LAION400M',
    licence: 'MIT',
  }),
  vision('clip-vit-b-16', { millions: 150, hub: 'openai/clip-vit-base-patch16', licence: 'MIT' }),
  vision('clip-vit-b-32', { millions: 151, hub: 'openai/clip-vit-base-patch32', licence: 'MIT' }),
  vision('openclip-vit-b-32', {
    millions: 151,
    hub: 'laion/CLIP-ViT-B-32-laion2B-s34B-b79K',
    licence: 'MIT',
  }),
  vision('siglip-b-16', { millions: 203, hub: 'google/siglip-base-patch16-224', licence: 'Apache-2.0' }),
  vision('siglip2-b-16', {
    millions: 375,
    hub: 'google/siglip2-base-patch16-224',
    licence: 'Apache-2.0',
    languages: 'multilingual',
  }),
  vision('clip-vit-l-14', { millions: 428, hub: 'openai/clip-vit-large-patch14', licence: 'MIT' }),
  vision('openclip-vit-l-14', {
    millions: 428,
    hub: 'laion/CLIP-ViT-L-14-laion2B-s32B-b82K',
    licence: 'MIT',
  }),
];

/** The published checkpoints hold four bytes a parameter. */
function vision(name: string, { millions, hub, licence, languages }: VisionFacts): CatalogueEntry {
  return {
    name,
    kind: 'clip',
    hub,
    packages: undefined,
    licence,
    languages: languages ?? ['en'],
    parameters: millions * 1e6,
    downloadBytes: millions * 4e6,
    companions: [],
  };
}
