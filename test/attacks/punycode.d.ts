declare module "punycode/punycode.es6.js" {
  const punycode: { encode(label: string): string };
  export default punycode;
}
