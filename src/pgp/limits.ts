/** Bounds of the gate: how much white space and header it looks at before it says no. */

/** White space around parts and armor, bytes per place. */
export const PADDING_MAX_BYTES = 1024;
/** Header block of a body part, bytes. */
export const PART_HEADER_MAX_BYTES = 1024;
/** Body of a part that must hold one known line, bytes with white space. */
export const CONTROL_BODY_MAX_BYTES = 256;
/** One line of armor outside its data, bytes. */
export const ARMOR_LINE_MAX_BYTES = 256;
