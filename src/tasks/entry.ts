/** The program of a child process; see main.ts and offload.ts for how it is started. */
import { serveTasks } from "../workers/serve.ts";
import { tasks } from "./tasks.ts";

await serveTasks(tasks);
