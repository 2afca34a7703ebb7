/** Resolves with the first to succeed; rejects, with the reasons of all, where none does. */
export async function firstOf<T>(attempts: Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(attempts);
  } catch (error) {
    const reasons = (error as AggregateError).errors.map((reason: Error) => reason.message);
    throw new Error(reasons.join('; '));
  }
}
