/** /openapi.json and /docs, made from the schemas that parse the requests. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';

/** What a route may say of itself in its `config`. */
declare module 'fastify' {
  interface FastifyContextConfig {
    readonly summary?: string;
    /** The JSON body. */
    readonly body?: z.ZodType;
    /** The text fields of a multipart form. */
    readonly form?: z.ZodObject;
    /** The field that holds the file; `file` when not said. */
    readonly fileField?: string;
  }
}

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: 'string', nullable: true },
        code: { type: 'string', nullable: true },
      },
    },
  },
};

export async function registerOpenapi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.0.3',
      info: {
        title: 'Percept',
        version,
        description: 'Speech recognition and language models behind OpenAI’s API, on your own machine.',
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
      security: [{ bearer: [] }, { key: [] }, {}],
    },
    transform: ({ schema, url, route }) => ({
      schema: describeRoute(schema ?? {}, route.config),
      url: url.replace('*', '{id}'),
    }),
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.get('/openapi.json', { schema: { hide: true } as FastifySchema }, async () => app.swagger());
}

type RouteConfig =
  | {
      readonly summary?: string;
      readonly body?: z.ZodType;
      readonly form?: z.ZodObject;
      readonly fileField?: string;
    }
  | undefined;

function describeRoute(schema: FastifySchema, config: RouteConfig): FastifySchema {
  const described: Record<string, unknown> = {
    ...schema,
    ...(config?.summary === undefined ? {} : { summary: config.summary }),
    response: {
      200: { description: 'Success', type: 'object', additionalProperties: true },
      '4xx': { description: 'The request was refused', ...errorSchema },
      '5xx': { description: 'The server could not do it now', ...errorSchema },
    },
  };
  if (config?.form !== undefined) {
    described['consumes'] = ['multipart/form-data'];
    described['body'] = formSchema(config.form, config.fileField ?? 'file');
  }
  if (config?.body !== undefined) {
    described['consumes'] = ['application/json'];
    described['body'] = bodySchema(config.body);
  }
  return described as FastifySchema;
}

function bodySchema(body: z.ZodType) {
  return z.toJSONSchema(body, {
    io: 'input',
    target: 'openapi-3.0',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      // OpenAPI 3.0.3 has `nullable` beside a `type` alone. Null is taken there all the same.
      if (jsonSchema['type'] === undefined) delete jsonSchema['nullable'];
    },
  });
}

/** The fields as a client writes them: lists are sent as `name[]`. */
function formSchema(form: z.ZodObject, fileField: string) {
  const { properties = {}, required = [] } = z.toJSONSchema(form, { io: 'input', target: 'draft-7' });
  const fields = Object.entries(properties).map(([name, schema]) => [
    isList(schema) ? `${name}[]` : name,
    schema,
  ]);
  return {
    type: 'object',
    required: [fileField, ...required],
    properties: { [fileField]: { type: 'string', format: 'binary' }, ...Object.fromEntries(fields) },
  };
}

function isList(schema: unknown): boolean {
  return (schema as { type?: string }).type === 'array';
}
