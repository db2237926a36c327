/** The schemas of one document: where each lies, what `$ref` and its kin lead to. Nothing outside the document is ever fetched. */
import { holdsOf } from './keywords.ts';
import type { SchemaLimits } from './limits.ts';
import { invalid, unsupported } from './refusal.ts';
import { isObject } from './values/json.ts';

/** A schema as evaluation meets it. */
export interface SchemaNode {
  readonly schema: boolean | Readonly<Record<string, unknown>>;
  /** JSON pointer into the document. */
  readonly pointer: string;
  /** The addresses of the resources passed on the way to it, outermost first: `$dynamicRef` asks them in this order. */
  readonly scope: readonly string[];
  /** Pointer and scope: the same for the same meaning. */
  readonly key: string;
}

/** A schema with an address (`$id`), and all below it up to the next. */
interface Resource {
  readonly address: string;
  readonly pointer: string;
  readonly anchors: Map<string, string>;
  readonly dynamicAnchors: Map<string, string>;
}

interface Location {
  readonly schema: SchemaNode['schema'];
  readonly resource: Resource;
}

export interface SchemaDocument {
  readonly root: SchemaNode;
  /** The schema at `path` within the node's. */
  child(node: SchemaNode, ...path: readonly (string | number)[]): SchemaNode;
  /** What the node's `$ref` or `$dynamicRef` means. */
  resolve(node: SchemaNode, keyword: '$ref' | '$dynamicRef'): SchemaNode;
}

/** A document without an `$id` has an address all the same, for others to be relative to. */
const ROOT_ADDRESS = 'schema://document/';

export function openDocument(schema: unknown, limits: SchemaLimits): SchemaDocument {
  if (typeof schema !== 'boolean' && !isObject(schema))
    throw invalid('', 'a schema is an object or a boolean');
  const locations = new Map<string, Location>();
  const resources = new Map<string, Resource>();
  index(schema, { locations, resources, limits });

  function nodeAt(pointer: string, scope: readonly string[]): SchemaNode {
    const { schema, resource } = locations.get(pointer)!;
    // Only resources with dynamic anchors are ever asked for, and only the first time that they are passed.
    const adds = resource.dynamicAnchors.size > 0 && !scope.includes(resource.address);
    const passed = adds ? [...scope, resource.address] : scope;
    return { schema, pointer, scope: passed, key: `${pointer} ${passed.join(' ')}` };
  }

  function resolve(node: SchemaNode, keyword: '$ref' | '$dynamicRef'): SchemaNode {
    const place = `${node.pointer}/${keyword}`;
    const reference = (node.schema as Record<string, unknown>)[keyword] as string;
    const { resource } = locations.get(node.pointer)!;
    const [address, fragment] = addressOf(reference, resource.address, place);
    const target = resources.get(address);
    if (target === undefined) {
      throw unsupported(
        place,
        `"${reference.slice(0, 100)}" lies outside the document, and nothing is fetched`,
      );
    }
    const isPointer = fragment === '' || fragment.startsWith('/');
    const anchored = target.anchors.get(fragment) ?? target.dynamicAnchors.get(fragment);
    const pointer = isPointer ? target.pointer + fragment : anchored;
    if (pointer === undefined || !locations.has(pointer)) {
      throw invalid(place, `"${reference.slice(0, 100)}" leads to no schema`);
    }
    const isDynamic = keyword === '$dynamicRef' && target.dynamicAnchors.has(fragment);
    if (!isDynamic) return nodeAt(pointer, node.scope);
    const outermost = node.scope.find((passed) => resources.get(passed)!.dynamicAnchors.has(fragment));
    const bound =
      outermost === undefined ? undefined : resources.get(outermost)!.dynamicAnchors.get(fragment);
    return nodeAt(bound ?? pointer, node.scope);
  }

  return {
    root: nodeAt('', []),
    child: (node, ...path) => nodeAt(node.pointer + path.map(step).join(''), node.scope),
    resolve,
  };
}

function step(name: string | number): string {
  return `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

interface Index {
  readonly locations: Map<string, Location>;
  readonly resources: Map<string, Resource>;
  readonly limits: SchemaLimits;
}

interface Waiting {
  readonly schema: SchemaNode['schema'];
  readonly pointer: string;
  readonly depth: number;
  readonly outer: Resource | undefined;
}

/** Finds every schema of the document, and refuses unknown keywords and values. Without recursion: depth is the client's. */
function index(root: SchemaNode['schema'], { locations, resources, limits }: Index): void {
  const waiting: Waiting[] = [{ schema: root, pointer: '', depth: 0, outer: undefined }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { schema, pointer, depth } = next;
    if (depth > limits.depth) throw unsupported(pointer, `schemas are nested deeper than ${limits.depth}`);
    const resource = resourceOf(next, resources);
    locations.set(pointer, { schema, resource });
    if (locations.size > limits.nodes) throw unsupported('', `it has more than ${limits.nodes} schemas`);
    if (typeof schema === 'boolean') continue;
    addAnchors(schema, pointer, resource);
    for (const [name, value] of Object.entries(schema)) {
      const place = pointer + step(name);
      const holds = holdsOf(name, value, place);
      if (holds === 'nothing') continue;
      const held = holds === 'schema' ? [['', value]] : Object.entries(value as object);
      for (const [key, schema] of held as [string, SchemaNode['schema']][]) {
        const below = holds === 'schema' ? place : place + step(key);
        waiting.push({ schema, pointer: below, depth: depth + 1, outer: resource });
      }
    }
  }
}

function resourceOf({ schema, pointer, outer }: Waiting, resources: Map<string, Resource>): Resource {
  const id = isObject(schema) && typeof schema['$id'] === 'string' ? schema['$id'] : undefined;
  if (outer !== undefined && id === undefined) return outer;
  const [address, fragment] = addressOf(id ?? '', outer?.address ?? ROOT_ADDRESS, `${pointer}/$id`);
  if (fragment !== '') throw unsupported(`${pointer}/$id`, 'an address with a fragment; use "$anchor"');
  if (resources.has(address)) throw invalid(`${pointer}/$id`, 'two schemas have this address');
  const resource = { address, pointer, anchors: new Map(), dynamicAnchors: new Map() };
  resources.set(address, resource);
  return resource;
}

function addAnchors(schema: Readonly<Record<string, unknown>>, pointer: string, resource: Resource): void {
  const { $anchor, $dynamicAnchor } = schema;
  if (typeof $anchor === 'string') resource.anchors.set($anchor, pointer);
  if (typeof $dynamicAnchor === 'string') resource.dynamicAnchors.set($dynamicAnchor, pointer);
}

/** The absolute address without its fragment, and the fragment decoded. */
function addressOf(reference: string, base: string, place: string): [string, string] {
  try {
    const url = new URL(reference, base);
    const fragment = decodeURIComponent(url.hash.slice(1));
    url.hash = '';
    return [url.href, fragment];
  } catch {
    throw invalid(place, `"${reference.slice(0, 100)}" is no address`);
  }
}
