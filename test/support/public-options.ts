/** The options interfaces of the public entries, as a reader of the reference wants them: every option with its comment. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

export interface PublicOptions {
  /** The interface, such as `EtcdOptions`. */
  readonly name: string;
  /** The Markdown table of all its options, those that it inherits included; a name in bold has to be given. */
  readonly table: string;
  /** Options of which the source says nothing. */
  readonly unexplained: readonly string[];
}

/** What is the same everywhere and not said again at each place. */
const common: Readonly<Record<string, string>> = {
  clock: "Where time comes from; default: the process's own clock.",
  random: "Where chance comes from; default: the process's own.",
  logger: "Default: warnings to stderr; `false` for silence.",
};

export function publicOptions(root: string): PublicOptions[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string>>;
  };
  const entries = Object.values(exports)
    .filter((target) => target.endsWith(".js"))
    .map((target) => join(root, target.replace("./dist/", "").replace(/\.js$/, ".ts")));
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(entries, options);
  const checker = program.getTypeChecker();

  const found = new Map<string, PublicOptions>();
  for (const entry of entries) {
    const source = program.getSourceFile(entry);
    const module = source && checker.getSymbolAtLocation(source);
    for (const exported of module ? checker.getExportsOfModule(module) : []) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (!/Options$/.test(exported.name) || !(symbol.flags & ts.SymbolFlags.Interface)) continue;
      found.set(exported.name, describe(exported.name, symbol, checker));
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function describe(interfaceName: string, symbol: ts.Symbol, checker: ts.TypeChecker): PublicOptions {
  const unexplained: string[] = [];
  const rows = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).map((property) => {
    const own = ts.displayPartsToString(property.getDocumentationComment(checker));
    const comment = own || common[property.name];
    if (!comment) unexplained.push(`${interfaceName}.${property.name}`);
    const name = property.flags & ts.SymbolFlags.Optional ? `\`${property.name}\`` : `**\`${property.name}\`**`;
    return `| ${name} | ${code(typeOf(property, checker))} | ${cell(comment ?? "")} |`;
  });
  return { name: interfaceName, table: ["| option | type | |", "|---|---|---|", ...rows, ""].join("\n"), unexplained };
}

/** As the source writes it, which is shorter than what the compiler makes of it. */
function typeOf(property: ts.Symbol, checker: ts.TypeChecker): string {
  const declaration = property.declarations?.find(ts.isPropertySignature);
  const type = declaration?.type?.getText() ?? checker.typeToString(checker.getTypeOfSymbol(property));
  return type
    .replace(/\s*\|\s*undefined$/, "")
    .replace(/^\((.*)\)$/s, "$1")
    .replaceAll(/\s+/g, " ");
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function cell(comment: string): string {
  return comment.replaceAll(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
}
