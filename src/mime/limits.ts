/** Bounds of the MIME readers. A message past them is still served, only less finely divided. */

/** Multipart and message/rfc822 levels that are opened; deeper ones are shown as one opaque part. */
export const MIME_DEPTH_MAX = 32;
/** Parts of one message that are told apart; what follows belongs to the last one. */
export const MIME_PARTS_MAX = 1000;
/** Header bytes of all parts of one message together, bytes; fields beyond are not looked at. */
export const MIME_HEADERS_MAX_BYTES = 1024 * 1024;
/** RFC 2046 §5.1.1. */
export const BOUNDARY_MAX_CHARS = 70;
/** Addresses of one field that are told apart. */
export const ADDRESSES_MAX = 2000;
/** Parameters of one structured field that are kept. */
export const PARAMS_MAX = 100;
