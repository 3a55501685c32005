export { DocumentsPage } from "./DocumentsPage";
