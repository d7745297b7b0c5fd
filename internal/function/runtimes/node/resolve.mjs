// Lets ES modules find packages through NODE_PATH, as they do on Lambda; by
// themselves they look in the node_modules folders above them only.

import path from 'node:path';
import { pathToFileURL } from 'node:url';

// places are URLs of files that do not exist, each beside a node_modules folder.
const places = (process.env.NODE_PATH ?? '')
  .split(path.delimiter)
  .filter((folder) => path.basename(folder) === 'node_modules')
  .map((folder) => pathToFileURL(path.join(path.dirname(folder), 'any.mjs')).href);

function isBare(specifier) {
  return !/^(\.{0,2}\/|[a-z][a-z0-9+.-]*:)/i.test(specifier);
}

function isMissing(error, specifier) {
  return error?.code === 'ERR_MODULE_NOT_FOUND' && isBare(specifier);
}

// resolve is the hook of a loader thread.
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!isMissing(error, specifier)) throw error;
    for (const parentURL of places) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch (other) {
        if (!isMissing(other, specifier)) throw other;
      }
    }
    throw error;
  }
}

// resolveNow is the same for hooks that run in the main thread.
export function resolveNow(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (!isMissing(error, specifier)) throw error;
    for (const parentURL of places) {
      try {
        return next(specifier, { ...context, parentURL });
      } catch (other) {
        if (!isMissing(other, specifier)) throw other;
      }
    }
    throw error;
  }
}
