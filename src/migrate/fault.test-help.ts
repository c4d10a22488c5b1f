/** The error that a promise ends with. @throws {Error} when it ends well */
export async function faultOf(work: Promise<unknown>): Promise<unknown> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error("expected a fault, and there was none");
  return outcome.error;
}
