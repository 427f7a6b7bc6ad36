/** Whether the stated counts are asked for (`npm run test:long`), not just each thing once. */
export const long = process.env['VDPA_HOST_TEST'] === 'long';
