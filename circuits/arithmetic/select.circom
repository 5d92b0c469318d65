pragma circom 2.2.0;

// Proves       isHere[i] = 1 where i = index, else 0.
// Assumes      nothing of its inputs.
// Guarantees   index < COUNT; the marks are the only ones.
template OneHot(COUNT) {
    signal input index;
    signal output isHere[COUNT];

    var sum = 0;
    for (var i = 0; i < COUNT; i++) {
        isHere[i] <-- i == index ? 1 : 0;
        // Where i differs from the index only 0 is left, so the sum fixes the remaining one to 1.
        isHere[i] * (index - i) === 0;
        sum += isHere[i];
    }
    sum === 1;
}

// Proves       isHere marks one place whose key equals `key`; none if isWanted = 0.
// Assumes      isWanted is 0 or 1; with 1, the keys are pairwise distinct where they can equal `key`.
// Guarantees   isHere are bits; with isWanted = 1 a key that equals `key` is there.
// The bits matter where several keys are equal, as the ids of unused rows: x and −x would sum to 0, and a value
// selected by them is any number.
template FindKey(COUNT) {
    signal input keys[COUNT];
    signal input key;
    signal input isWanted;
    signal output isHere[COUNT];

    var sum = 0;
    for (var i = 0; i < COUNT; i++) {
        isHere[i] <-- keys[i] == key ? isWanted : 0;
        isHere[i] * (isHere[i] - 1) === 0;
        isHere[i] * (keys[i] - key) === 0;
        sum += isHere[i];
    }
    sum === isWanted;
}

// Proves       value = Σ isHere[i] · values[i].
// Assumes      isHere marks at most one place, by 1 (OneHot, FindKey).
// Guarantees   value is that of the marked place; 0 if none is marked.
template Selected(COUNT) {
    signal input isHere[COUNT];
    signal input values[COUNT];
    signal output value;

    signal parts[COUNT];
    var sum = 0;
    for (var i = 0; i < COUNT; i++) {
        parts[i] <== isHere[i] * values[i];
        sum += parts[i];
    }
    value <== sum;
}

// Proves       value = values[index].
// Assumes      nothing of its inputs.
// Guarantees   index < 2^(bits of COUNT − 1), and value is 0 at a place past the list.
template Chosen(COUNT) {
    var BITS = 0;
    while ((1 << BITS) < COUNT) { BITS++; }
    signal input values[COUNT];
    signal input index;
    signal output value;

    // Of 2^BITS values every bit keeps one half, the lowest first.
    signal bits[BITS];
    signal kept[BITS + 1][1 << BITS];
    for (var i = 0; i < COUNT; i++) { kept[0][i] <== values[i]; }
    for (var i = COUNT; i < (1 << BITS); i++) { kept[0][i] <== 0; }
    var sum = 0;
    for (var b = 0; b < BITS; b++) {
        bits[b] <-- (index >> b) & 1;
        bits[b] * (bits[b] - 1) === 0;
        sum += bits[b] * (1 << b);
        for (var i = 0; i < (1 << BITS); i++) {
            if (i < (1 << (BITS - 1 - b))) {
                kept[b + 1][i] <== kept[b][2 * i] + bits[b] * (kept[b][2 * i + 1] - kept[b][2 * i]);
            } else {
                kept[b + 1][i] <== 0;
            }
        }
    }
    sum === index;
    value <== kept[BITS][0];
}

// Proves       isNonZero = 1 if value ≠ 0, else 0.
// Assumes      nothing of its inputs.
// Guarantees   isNonZero is a bit, whatever inverse is named: it multiplies a zero where it is free.
template IsNonZero() {
    signal input value;
    signal output isNonZero;

    signal inverse <-- value == 0 ? 0 : 1 / value;
    isNonZero <== value * inverse;
    (1 - isNonZero) * value === 0;
}

// Proves       isAny = a or b.
// Assumes      a and b are bits.
// Guarantees   isAny is a bit.
template Or() {
    signal input a;
    signal input b;
    signal output isAny;
    isAny <== a + b - a * b;
}

// Proves       bit·(bit − 1) = 0.
// Assumes      nothing of its inputs.
// Guarantees   bit is 0 or 1.
template RequireBit() {
    signal input bit;
    bit * (bit - 1) === 0;
}
