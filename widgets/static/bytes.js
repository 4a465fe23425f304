// Bytes of Python's.

/** The bytes of an array that came with the model, as a buffer of its own. */
const bufferOf = (model, name) => copied(model.get(name));

/** The bytes of an array that came with a message, as a buffer of its own. */
function copied(bytes) {
  const start = bytes.byteOffset ?? 0;
  return (bytes.buffer ?? bytes).slice(start, start + bytes.byteLength);
}

export { bufferOf, copied };
