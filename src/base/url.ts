/** The text with the user and password of every URL in it masked: a mirror's address may be `https://user:password@host/`. */
export function hidePassword(text: string): string {
  return text.replace(/((?:https?|rediss?):\/\/)[^/@\s"]*@/g, '$1********@');
}
