// Our templates in the order of workflows/about.toml, studio_headshot first: the server lists files as the disk has them.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const ORDER = [
  "studio_headshot", "check_likeness", "enroll_identity", "keep_the_best", "id_photo", "id_photo_sheet",
  "check_id_photo", "check_selfie", "retouch_photo", "img2img_headshot_sd15", "img2img_headshot_sdxl",
  "img2img_headshot_z_image", "new_background_sd15", "new_background_sdxl", "lora_headshot", "reference_profile",
  "edit_headshot", "edit_headshot_flux2_klein", "compare_models", "merge_loras",
];

const place = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

function arrange(templates) {
  for (const names of Object.values(templates ?? {})) {
    if (Array.isArray(names) && names.includes(ORDER[0])) names.sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  }
  return templates;
}

app.registerExtension({
  name: "likenessstudio.templates",
  init() {
    const list = api.getWorkflowTemplates;
    if (!list) return;
    api.getWorkflowTemplates = async (...given) => arrange(await list.apply(api, given));
  },
});
