/** This installation. The build of the package puts another file in the place of `checkout.ts`. */
export { installation } from './checkout.ts'
