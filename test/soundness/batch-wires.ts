/**
 * Which wires of the batch circuit may change unnoticed at a witness, and why that harms nobody. Every entry was read
 * one by one; whoever adds one says what the value is multiplied by, or why both values obey the rules.
 */
import { type ConstraintSystem, isUnread } from './constraint-system.ts';
import { namesByWire } from './wire-names.ts';

/** Hints that invert a number to show that it is not 0: free where it is 0, and where nothing reads them. */
export const INVERSE = /(\.inverse|Inverse|\.inv|\.inverses\[(\d+)?\])$/;

/** Wires that may change, by name without indices, and why nothing depends on them there. */
const FREE: readonly { readonly name: RegExp; readonly why: string }[] = [
  {
    name: /^main\.accountIs(Filled|QuoteWithdrawn|SpotWithdrawn)\[\]$/,
    why: 'without its cause the flag only adds a rule, which this account meets',
  },
  {
    name: /^main\.accountIs(Reducing|UnderMargin|QuoteRelative|SmallAccount)\[\]$/,
    why: 'a choice between rules of which this account meets both, or none applies',
  },
  {
    name: /^main\.accountIs(ScanPositive|OldScanPositive|NewScanPositive|OldWorst|NewWorst|LossAbove)\[\](\[\])?$/,
    why: 'another valid bound of the scan: weaker or equal, and still enough',
  },
  { name: /^main\.isFundExhausted$/, why: 'only read where a fund payment leaves a debt' },
  {
    name: /^main\.instrumentIsWithinCap\[\]$/,
    why: 'open interest is within its cap and not rising: either says so',
  },
  {
    name: /^main\.instruments\[\]\.isExpiring$/,
    why: 'without fills or without an expiry it gates nothing',
  },
  { name: /^main\.accountThreshold\[\]$/, why: 'another threshold is another valid upper bound' },
  {
    name: /^main\.accountIsOld(DeltaNegative|AddOnPiece)\[\]\[\](\[\])?$/,
    why: 'another piece is another lower bound of the add-on before, and still enough',
  },
];
/** Side of a net delta after the batch: free where there is none. */
const NEW_DELTA_SIDE = /^main\.accountIsNewDeltaNegative\[(\d+)\]\[(\d+)\]$/;
/** Losses of an instrument row, packed or as bits: read only where the row has losses. */
const LOSSES = /^main\.(?:instrumentLossElements\[|instruments\[)(\d+)\](?:\[|\.scenarios\.losses\.)/;
const VALUE_DELTAS = 8;
/** Content of an instrument row that no instrument uses: its id counts as 0, it takes no weight and no fills. */
const INSTRUMENT_CONTENT =
  /^main\.instrument(Row|Underlying|IsSpot|IsReduceOnly|IsWithinCap|HasLosses)\[(\d+)\]/;
/** The upper children of a message's tree: read only where the signature's tree has two levels. */
const UPPER_CHILD = /^main\.(message|withdrawal)Children\[(\d+)\]\[1\]/;
/** A cause was there: clearing its flag must be noticed. */
const CAUSE =
  /^main\.accountIs(Filled|QuoteWithdrawn|SpotWithdrawn|MarginLiquidation|DebtLiquidation|FundPaid)\[\]$/;

/** The names of a compiled batch circuit, asked about the freedom of its wires. */
export class BatchWires {
  readonly #names: ReadonlyMap<number, string>;
  readonly #wires: ReadonlyMap<string, number>;
  readonly #system: ConstraintSystem;

  constructor(symPath: string, system: ConstraintSystem) {
    this.#system = system;
    this.#names = namesByWire(symPath);
    this.#wires = new Map([...this.#names].map(([wire, name]) => [name, wire]));
  }

  nameOf(wire: number): string {
    return this.#names.get(wire) ?? `wire ${wire}`;
  }

  /** Why another value of this wire may go unnoticed at this witness; undefined if that would be a hole. */
  reasonOfFreedom(wire: number, witness: readonly bigint[]): string | undefined {
    const name = this.nameOf(wire);
    if (INVERSE.test(name)) {
      // By its name alone an inverse would pass that something reads.
      return isUnread(this.#system, witness, wire)
        ? 'the inverse of a zero is multiplied by zero'
        : undefined;
    }
    const instrument = INSTRUMENT_CONTENT.exec(name)?.[2];
    if (instrument !== undefined && this.#valueOf(`main.instrumentIsUsed[${instrument}]`, witness) === 0n) {
      return 'nothing uses this instrument row';
    }
    const upper = UPPER_CHILD.exec(name);
    if (upper !== null) {
      const [, kind, row] = upper;
      if (this.#valueOf(`main.${kind}Content[${row}]`, witness) === 0n) return 'the row executes no message';
      const second = this.#valueOf(`main.${kind}s[${row}].signed.toTop`, witness);
      if (second === 0n) return 'the tree of this message has no second level';
    }
    const losses = LOSSES.exec(name)?.[1];
    if (losses !== undefined && this.#valueOf(`main.instrumentHasLosses[${losses}]`, witness) === 0n) {
      return 'the row has no losses, and theirs count as nothing';
    }
    const side = NEW_DELTA_SIDE.exec(name);
    if (side !== null) {
      const [, account, underlying] = side;
      const delta = `main.accountNewValues[${account}][${VALUE_DELTAS + Number(underlying)}]`;
      if (this.#valueOf(delta, witness) === 0n) return 'a net delta of nothing has no side';
    }
    const plain = name.replace(/\[\d+\]/g, '[]');
    if (CAUSE.test(plain) && witness[wire] !== 0n) return undefined;
    return FREE.find((free) => free.name.test(plain))?.why;
  }

  #valueOf(name: string, witness: readonly bigint[]): bigint | undefined {
    const wire = this.#wires.get(name);
    return wire === undefined ? undefined : witness[wire];
  }
}
