// What odata2ts makes a client from: the description that the server itself gives.

import { EmitModes, Modes, type ConfigFileOptions } from "@odata2ts/odata2ts";

const config: ConfigFileOptions = {
  mode: Modes.service,
  emitMode: EmitModes.ts,
  services: {
    folkmoot: {
      serviceName: "folkmoot",
      sourceUrl: `${(process.env.FOLKMOOT_URL ?? "").replace(/\/$/, "")}/v1.0`,
      refreshFile: true,
      source: "metadata.xml",
      output: "generated",
    },
  },
};

export default config;
