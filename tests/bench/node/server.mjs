// The third twin: node-opcua as it comes, with the machine models that it ships and N machines of MachineToolType, the
// nearest it has to an additive manufacturing machine. NODE_OPCUA_FOLDER says where its packages are, NODE_OPCUA_PKI
// where it keeps its certificate.
//
//     node server.mjs PORT PRINTERS CHANGES_PER_SECOND VARIABLES_PER_MACHINE

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_OPCUA_FOLDER}/`);
const { OPCUAServer, OPCUACertificateManager, DataType, MessageSecurityMode, SecurityPolicy, nodesets } = require("node-opcua");

const [port, printers, changesPerSecond, variables] = process.argv.slice(2).map(Number);
const TURN_MS = 100;
const MODELS = ["standard", "di", "ia", "machinery", "isa95JobControl", "machineryJobs", "irdi", "padim", "machineryProcessValues", "machineTool"];
const HEATERS = ["Tool0", "Bed"];
const OPTIONALS = [
  "MachineryBuildingBlocks", "Notification", "Equipment",
  "Monitoring.Process", "Monitoring.Stacklight", "Monitoring.MachineTool.FeedOverride",
  "Production.ActiveProgram.JobIdentifier", "Production.ActiveProgram.State.CurrentState.Number",
  "Identification.Manufacturer", "Identification.SerialNumber", "Identification.ProductInstanceUri", "Identification.Model",
  "Identification.ProductCode", "Identification.SoftwareRevision", "Identification.YearOfConstruction",
  "Identification.Location", "Identification.ComponentName", "Identification.DeviceClass",
];

const server = new OPCUAServer({
  port,
  host: "127.0.0.1",
  hostname: "127.0.0.1",
  nodeset_filename: MODELS.map((name) => nodesets[name]),
  securityModes: [MessageSecurityMode.None],
  securityPolicies: [SecurityPolicy.None],
  allowAnonymous: true,
  serverCertificateManager: new OPCUACertificateManager({ rootFolder: process.env.NODE_OPCUA_PKI }),
  maxConnectionsPerEndpoint: 20,
});
await server.initialize();

const addressSpace = server.engine.addressSpace;
const own = addressSpace.getOwnNamespace();
const namespaceOf = (path) => addressSpace.getNamespaceIndex(`http://opcfoundation.org/UA/${path}/`);
const machinesFolder = addressSpace.findNode(`ns=${namespaceOf("Machinery")};i=1001`);
const machineToolType = addressSpace.findObjectType("MachineToolType", namespaceOf("MachineTool"));
const processValueType = addressSpace.findObjectType("ProcessValueType", namespaceOf("Machinery/ProcessValues"));

const live = [];
for (let number = 1; number <= printers; number++) {
  const machine = machineToolType.instantiate({
    browseName: `printer-${number}`, organizedBy: machinesFolder, optionals: OPTIONALS,
  });
  for (const heater of HEATERS) {
    processValueType.instantiate({ browseName: heater, componentOf: machine.monitoring });
  }
  const status = own.addVariable({
    browseName: "MesStatus", componentOf: machine, dataType: DataType.String, nodeId: `s=printer-${number}/MesStatus`,
  });
  status.setValueFromSource({ dataType: DataType.String, value: "Idle" });
  for (let item = 0; item < variables; item++) {
    const variable = own.addAnalogDataItem({
      browseName: `Item${item}`, componentOf: machine, dataType: DataType.Double, minimumSamplingInterval: 100,
      engineeringUnitsRange: { low: 0, high: 300 }, value: { dataType: DataType.Double, value: 0 },
    });
    live.push(variable);
  }
}

await server.start();

let done = 0;
const began = performance.now();
const turning = setInterval(() => {
  const due = Math.floor(((performance.now() - began) / 1000) * changesPerSecond);
  for (; done < due; done++) {
    live[done % live.length].setValueFromSource({ dataType: DataType.Double, value: done });
  }
}, TURN_MS);

process.on("SIGTERM", async () => {
  clearInterval(turning);
  await server.shutdown(0);
  process.exit(0);
});
