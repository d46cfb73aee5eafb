// node-opcua as a client that is told what to do by JSON lines.
//
// stdin:  {"id": 1, "command": "read", "nodeIds": ["ns=0;i=2259"]}
// stdout: {"id": 1, "result": [...]} or {"id": 1, "error": "what was wrong"}, and {"change": {...}} or {"event": {...}} of
//         a subscription
//
// It holds one session at a time. Values are told as node-opcua decoded them from the wire, with nothing made up.
//
// Environment:
//   NODE_OPCUA_FOLDER  where scripts/install-node-opcua put its packages
//   NODE_OPCUA_PKI     a folder for the client's own certificate and those it has seen

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

console.log = console.info = console.debug = console.error // node-opcua logs to stdout; that is ours

const required = createRequire(`${process.env.NODE_OPCUA_FOLDER}/package.json`)
const opcua = required('node-opcua-client')
const { OPCUACertificateManager } = required('node-opcua-certificate-manager')
const { AddNodesRequest, DeleteNodesRequest } = required('node-opcua-types')
const { NumericRange } = required('node-opcua-numeric-range')

const { AttributeIds, BrowseDirection, DataType, MessageSecurityMode, NodeClass, TimestampsToReturn } = opcua

const certificates = new OPCUACertificateManager({
  rootFolder: process.env.NODE_OPCUA_PKI,
  automaticallyAcceptUnknownCertificate: true
})
let client = null
let session = null

// What was decoded, as JSON.

function plain(value, dataType) {
  if (value === null || value === undefined) return null
  if (dataType === DataType.Int64) return Number(BigInt.asIntN(64, wide(value)))
  if (dataType === DataType.UInt64) return Number(wide(value))
  if (value instanceof Date) return value.toISOString()
  if (value instanceof opcua.NodeId) return value.toString()
  if (value instanceof opcua.QualifiedName) return { namespaceIndex: value.namespaceIndex, name: value.name }
  if (value instanceof opcua.LocalizedText) return { text: value.text, locale: value.locale }
  if (value instanceof opcua.StatusCode) return value.name
  if (value instanceof opcua.Variant) return decoded(value)
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return Array.from(value, (item) => plain(item, dataType))
  if (value.constructor?.name === 'OpaqueStructure') return { type: 'opaque', encoding: value.nodeId.toString() }
  if (value.schema) return { type: value.schema.name, ...Object.fromEntries(fieldsOf(value)) }
  return value
}

// Fields that are not there are left out; those of a structure's base types count as its own.
function fieldsOf(value) {
  const schemas = []
  for (let schema = value.schema; schema; schema = schema.getBaseSchema?.()) schemas.unshift(schema)
  return schemas
    .flatMap(({ fields }) => fields)
    .filter(({ name }) => value[name] !== undefined)
    .map(({ name, fieldType }) => [name, plain(value[name], DataType[fieldType])])
}

function decoded({ dataType, arrayType, value }) {
  const isArray = arrayType === opcua.VariantArrayType.Array
  return isArray ? Array.from(value ?? [], (item) => plain(item, dataType)) : plain(value, dataType)
}

function wide([high, low]) {
  return (BigInt(high) << 32n) | BigInt(low)
}

function told(nodeId, dataValue) {
  const { dataType, arrayType } = dataValue.value
  const isArray = arrayType === opcua.VariantArrayType.Array
  return {
    nodeId,
    dataType: DataType[dataType],
    isArray,
    value: decoded(dataValue.value),
    statusCode: dataValue.statusCode.name,
    sourceTimestamp: dataValue.sourceTimestamp?.toISOString() ?? null,
    serverTimestamp: dataValue.serverTimestamp?.toISOString() ?? null
  }
}

function tail(uri) {
  return (uri ?? '').split('#').pop()
}

// Connections.

function newClient(options) {
  return opcua.OPCUAClient.create({
    applicationName: 'edge-agent-interop',
    clientCertificateManager: certificates,
    connectionStrategy: { maxRetry: 0, initialDelay: 100, maxDelay: 100 },
    transportTimeout: 10_000,
    defaultTransactionTimeout: 10_000,
    ...options
  })
}

async function connect({ url, policy, mode, user, password }) {
  await disconnect()
  client = newClient({
    securityMode: MessageSecurityMode[mode],
    securityPolicy: opcua.SecurityPolicy[policy],
    endpointMustExist: true
  })
  try {
    await client.connect(url)
    const identity = user ? { type: opcua.UserTokenType.UserName, userName: user, password } : undefined
    session = await client.createSession(identity)
  } catch (error) {
    await disconnect()
    throw error
  }
  return { applicationUri: client.endpoint?.server.applicationUri ?? null }
}

async function disconnect() {
  const [oldSession, oldClient] = [session, client]
  session = client = null
  await oldSession?.close(true).catch(() => undefined)
  await oldClient?.disconnect()
  return null
}

async function endpoints({ url }) {
  const asking = newClient({ endpointMustExist: false })
  await asking.connect(url)
  try {
    return (await asking.getEndpoints()).map((endpoint) => ({
      url: endpoint.endpointUrl,
      policy: tail(endpoint.securityPolicyUri),
      mode: MessageSecurityMode[endpoint.securityMode],
      tokens: endpoint.userIdentityTokens.map(({ tokenType }) => opcua.UserTokenType[tokenType]),
      transport: endpoint.transportProfileUri,
      applicationUri: endpoint.server.applicationUri,
      productUri: endpoint.server.productUri,
      applicationName: endpoint.server.applicationName.text,
      applicationType: opcua.ApplicationType?.[endpoint.server.applicationType] ?? endpoint.server.applicationType,
      certificateBytes: endpoint.serverCertificate?.length ?? 0
    }))
  } finally {
    await asking.disconnect()
  }
}

// Services.

async function browse({ nodeId }) {
  const found = await session.browse({
    nodeId,
    referenceTypeId: 'HierarchicalReferences',
    includeSubtypes: true,
    browseDirection: BrowseDirection.Forward,
    resultMask: 63
  })
  if (found.statusCode.name !== 'Good') throw new Error(found.statusCode.name)
  if (found.continuationPoint?.length) throw new Error('there is more')
  return found.references.map((reference) => ({
    nodeId: reference.nodeId.toString(),
    browseName: plain(reference.browseName),
    displayName: reference.displayName.text,
    nodeClass: NodeClass[reference.nodeClass],
    typeDefinition: reference.typeDefinition.toString(),
    referenceType: reference.referenceTypeId.toString()
  }))
}

// In pages of so many references, all of them put together.

async function browsePages({ nodeId, size }) {
  session.requestedMaxReferencesPerNode = size
  const what = { nodeId, referenceTypeId: 'HierarchicalReferences', includeSubtypes: true, resultMask: 63 }
  let page = await session.browse({ ...what, browseDirection: BrowseDirection.Forward })
  session.requestedMaxReferencesPerNode = 0
  const pages = [page]
  while (page.continuationPoint?.length) {
    page = await session.browseNext(page.continuationPoint, false)
    pages.push(page)
  }
  return pages.map(({ statusCode, references }) => ({
    statusCode: statusCode.name,
    nodeIds: references.map((reference) => reference.nodeId.toString())
  }))
}

async function read({ nodeIds, attribute = 'Value', indexRange }) {
  const attributeId = AttributeIds[attribute]
  const range = indexRange && new NumericRange(indexRange)
  const values = await session.read(nodeIds.map((nodeId) => ({ nodeId, attributeId, indexRange: range })))
  await opcua.promoteOpaqueStructure(session, values)
  return values.map((value, index) => told(nodeIds[index], value))
}

async function translate({ start, path }) {
  const found = await session.translateBrowsePath(opcua.makeBrowsePath(start, path))
  return {
    statusCode: found.statusCode.name,
    targets: (found.targets ?? []).map(({ targetId }) => targetId.toString())
  }
}

async function translateAll({ start, paths }) {
  const found = await session.translateBrowsePath(paths.map((path) => opcua.makeBrowsePath(start, path)))
  return found.map(({ statusCode, targets }) => ({
    statusCode: statusCode.name,
    targets: (targets ?? []).map(({ targetId }) => targetId.toString())
  }))
}

async function subscribe({ nodeIds, interval }) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: interval,
    requestedLifetimeCount: 600,
    requestedMaxKeepAliveCount: 10,
    publishingEnabled: true
  })
  const group = opcua.ClientMonitoredItemGroup.create(
    subscription,
    nodeIds.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
    { samplingInterval: interval, queueSize: 100, discardOldest: true },
    TimestampsToReturn.Both
  )
  group.on('changed', (_item, dataValue, index) => say({ change: told(nodeIds[index], dataValue) }))
  await new Promise((resolve, reject) => {
    group.on('initialized', resolve)
    group.on('err', (text) => reject(new Error(text)))
  })
  return group.monitoredItems.map(({ statusCode }) => statusCode.name)
}

// Select clauses: BrowseName paths from BaseEventType, ["Message"] or ["5:JobOrder"].

function eventFilter(fields, ofType) {
  return opcua.constructEventFilter(fields, ofType ? opcua.ofType(ofType) : undefined)
}

async function event(fields, variants) {
  await opcua.promoteOpaqueStructure(session, variants.map((value) => ({ value })))
  return Object.fromEntries(fields.map((field, index) => [field, variants[index] ? decoded(variants[index]) : null]))
}

async function subscribeEvents({ nodeId, fields, ofType, interval }) {
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: interval,
    requestedLifetimeCount: 600,
    requestedMaxKeepAliveCount: 10,
    publishingEnabled: true
  })
  const item = await subscription.monitor(
    { nodeId, attributeId: AttributeIds.EventNotifier },
    { samplingInterval: 0, queueSize: 100, discardOldest: true, filter: eventFilter(fields, ofType) },
    TimestampsToReturn.Both
  )
  item.on('changed', async (variants) => say({ event: { nodeId, ...(await event(fields, variants)) } }))
  return item.statusCode.name
}

async function history({ nodeId, start, end, fields, limit = 0, continuationPoint = null, release = false }) {
  const request = new opcua.HistoryReadRequest({
    historyReadDetails: new opcua.ReadEventDetails({
      numValuesPerNode: limit,
      startTime: start ? new Date(start) : opcua.minOPCUADate,
      endTime: end ? new Date(end) : opcua.minOPCUADate,
      filter: eventFilter(fields)
    }),
    timestampsToReturn: TimestampsToReturn.Both,
    releaseContinuationPoints: release,
    nodesToRead: [{ nodeId, continuationPoint: continuationPoint && Buffer.from(continuationPoint, 'hex') }]
  })
  const [found] = (await session.historyRead(request)).results
  const events = found.historyData?.events ?? []
  return {
    statusCode: found.statusCode.name,
    continuationPoint: found.continuationPoint?.toString('hex') || null,
    events: await Promise.all(events.map(({ eventFields }) => event(fields, eventFields)))
  }
}

// An argument is a value with its type, or a list of states by their numbers, which are structures of the server.

async function call({ objectId, methodId, argument: { dataType, value, states } }) {
  const inputArguments = [states ? await statesArgument(states) : { dataType: DataType[dataType], value }]
  const result = await session.call({ objectId, methodId, inputArguments })
  const outputs = result.outputArguments ?? []
  await opcua.promoteOpaqueStructure(session, outputs.map((output) => ({ value: output })))
  return {
    statusCode: result.statusCode.name,
    inputs: (result.inputArgumentResults ?? []).map(({ name }) => name),
    outputs: outputs.map(decoded)
  }
}

async function statesArgument(states) {
  const dataType = opcua.coerceNodeId('ns=5;i=3006')
  const value = await Promise.all(
    states.map(({ path = [], number }) =>
      session.constructExtensionObject(dataType, {
        browsePath: { elements: path.map((targetName) => ({ referenceTypeId: 'i=47', includeSubtypes: true, targetName })) },
        stateNumber: number
      })
    )
  )
  return { dataType: DataType.ExtensionObject, arrayType: opcua.VariantArrayType.Array, value }
}

async function write({ nodeId, dataType, value }) {
  const written = { value: { dataType: DataType[dataType], value } }
  return (await session.write({ nodeId, attributeId: AttributeIds.Value, value: written })).name
}

// node-opcua has no calls for these two, but it can encode them.

async function addNodes({ parent, nodeId, name }) {
  const item = {
    parentNodeId: opcua.coerceNodeId(parent),
    referenceTypeId: opcua.coerceNodeId('i=35'),
    requestedNewNodeId: opcua.coerceNodeId(nodeId),
    browseName: { namespaceIndex: 0, name },
    nodeClass: NodeClass.Object,
    typeDefinition: opcua.coerceNodeId('i=58')
  }
  return transaction(new AddNodesRequest({ nodesToAdd: [item] }), (result) => result.statusCode.name)
}

async function deleteNodes({ nodeId }) {
  const item = { nodeId: opcua.coerceNodeId(nodeId), deleteTargetReferences: true }
  return transaction(new DeleteNodesRequest({ nodesToDelete: [item] }), (result) => result.name)
}

function transaction(request, statusOf) {
  return new Promise((resolve, reject) => {
    session.performMessageTransaction(request, (error, response) => {
      if (error) return reject(error)
      const service = response.responseHeader.serviceResult.name
      resolve(service === 'Good' ? statusOf(response.results[0]) : service)
    })
  })
}

// The conversation.

const COMMANDS = {
  addNodes, browse, browsePages, call, connect, deleteNodes, disconnect, endpoints, history, read, subscribe, subscribeEvents, translate, translateAll, write
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function answer({ id, command, ...parameters }) {
  try {
    say({ id, result: await COMMANDS[command](parameters) })
  } catch (error) {
    const service = error.response?.responseHeader?.serviceResult?.name
    say({ id, error: [service, error.message].filter(Boolean).join(': ') })
  }
}

await certificates.initialize()
for await (const line of createInterface({ input: process.stdin })) await answer(JSON.parse(line))
await disconnect()
process.exit(0)
