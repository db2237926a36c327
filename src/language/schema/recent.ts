/** What was used last, by name; the least recently used goes first. */
export interface Recent<Value> {
  get(name: string): Value | undefined;
  set(name: string, value: Value): Value;
}

export function createRecent<Value>(most: number): Recent<Value> {
  /** In the order of use: a Map keeps the order in which its keys came. */
  const values = new Map<string, Value>();
  function set(name: string, value: Value): Value {
    values.delete(name);
    values.set(name, value);
    if (values.size > most) values.delete(values.keys().next().value!);
    return value;
  }
  return {
    set,
    get(name) {
      const value = values.get(name);
      return value === undefined ? undefined : set(name, value);
    },
  };
}
