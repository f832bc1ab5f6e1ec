/** What the container of a fault proxy and whoever starts it agree on. */

/** A ProxyTopology as JSON. */
export const proxyTopologyVariable = 'FAULTLINE_PROXY_TOPOLOGY'
/** Inside the container. */
export const proxyControlPort = 9640
