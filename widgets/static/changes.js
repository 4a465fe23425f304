// What is told of a scene while a network trains: once all of it, then what has changed
// (views/scene/changes.py).

const object = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const objects = (value) => Array.isArray(value) && value.length > 0 && value.every(object);

/** What was told before with what has changed since, as one. */
function merged(before, changes) {
  const made = { ...before };
  for (const [name, value] of Object.entries(changes)) {
    const own = before[name];
    if (object(own) && object(value)) made[name] = merged(own, value);
    else if (objects(own) && objects(value) && own.length === value.length) {
      made[name] = own.map((each, k) => merged(each, value[k]));
    } else made[name] = value;
  }
  return made;
}

export { merged };
