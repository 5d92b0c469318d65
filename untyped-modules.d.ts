// Packages that ship no types. Each is wrapped by one file of ours, which gives its own types.
declare module 'circom2';
declare module 'circom_runtime';
declare module 'circomlibjs';
declare module 'ffjavascript';
declare module 'snarkjs';
